export * from './run-mover.js';
