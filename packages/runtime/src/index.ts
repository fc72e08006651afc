export * from './http.js';
export * from './logger.js';
export * from './metric-families.js';
export * from './process-metrics.js';
export * from './signals.js';
