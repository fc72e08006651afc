import { DrError, type ReplicationSpec } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

import { compileHosts } from './hosts.js';
import { mapImages } from './images.js';
import { mapNamespaces, type NamespaceMapping } from './namespaces.js';
import { mapStorage } from './storage.js';

export interface MappingContext {
  readonly spec: Pick<ReplicationSpec, 'pvcConfig' | 'ingressConfig' | 'imageConfig' | 'namespaceMapping'>;
  readonly sourceNamespace: string;
  readonly destinationNamespace: string;
}

/**
 * Compiles the built-in mappings; the result applies them to an object, in place.
 *
 * @throws DrError TransformInvalid that names the field
 */
export function compileMappings(context: MappingContext): (object: KubeObject) => void {
  const { spec } = context;
  const mapHosts = compileHosts(spec.ingressConfig);
  const namespaces = namespacesOf(context);
  return (object) => {
    mapStorage(object, spec.pvcConfig);
    mapHosts(object);
    mapImages(object, spec.imageConfig.registryMapping);
    mapNamespaces(object, namespaces);
  };
}

/** The namespace of the Replication itself is mapped by its route. */
export function namespacesOf(context: MappingContext): NamespaceMapping {
  const { sourceNamespace, destinationNamespace, spec } = context;
  const named = spec.namespaceMapping ?? {};
  const own = Object.hasOwn(named, sourceNamespace) ? named[sourceNamespace] : undefined;
  if (own !== undefined && own !== destinationNamespace) {
    throw new DrError(
      'TransformInvalid',
      `spec.namespaceMapping.${sourceNamespace} is ${own}, but this Replication brings it to ${destinationNamespace}`,
    );
  }
  return { ...named, [sourceNamespace]: destinationNamespace };
}
