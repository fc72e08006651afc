import { customResourceDefinition, kindDefinitions } from '@dr-syncer/api';
import { stringify } from 'yaml';

export interface GeneratedFile {
  /** Below `manifests/crds/`. */
  readonly name: string;
  readonly text: string;
}

/** The CRD files, from the schemas in packages/api. */
export function renderCrds(): GeneratedFile[] {
  const header = '# Generated from packages/api/src/crd by "make generate". Do not edit.\n';
  const crds = kindDefinitions.map((def) => ({
    name: `${def.plural}.yaml`,
    text: header + stringify(customResourceDefinition(def), { aliasDuplicateObjects: false, lineWidth: 110 }),
  }));
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: crds.map((file) => file.name),
  };
  return [...crds, { name: 'kustomization.yaml', text: header + stringify(kustomization) }];
}
