export * from './http.js';
export * from './logger.js';
export * from './signals.js';
