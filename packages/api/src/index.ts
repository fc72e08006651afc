export * from './names.js';
export * from './errors.js';
export * from './identity.js';
