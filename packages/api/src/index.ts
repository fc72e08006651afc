export * from './crd/common.js';
export * from './crd/definitions.js';
export * from './crd/remote-cluster.js';
export * from './crd/replication.js';
export * from './errors.js';
export * from './identity.js';
export * from './names.js';
export * from './secret.js';
