export type { Engine } from './engine.js';
export * from './hub.js';
export * from './open-engine.js';
export * from './remove-standby.js';
export * from './standby-record.js';
