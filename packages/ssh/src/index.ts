export * from './control/messages.js';
