/** What `kubectl apply -k` takes, below manifests/, and the values by which the chart gives the same. */
export const overlays: readonly (readonly [path: string, values: Readonly<Record<string, unknown>>])[] = [
  ['source', {}],
  [
    'overlays/source-production',
    { controller: { replicas: 2 }, networkPolicies: { enabled: true }, monitoring: { operator: true } },
  ],
  [
    'overlays/source-without-operator',
    {
      controller: { replicas: 2 },
      ...{ networkPolicies: { enabled: true }, monitoring: { scrapeAnnotations: true } },
    },
  ],
  [
    'overlays/source-openshift',
    {
      ...{ openshift: true, controller: { replicas: 2 } },
      ...{ networkPolicies: { enabled: true }, monitoring: { operator: true } },
    },
  ],
  ['overlays/source-named-namespaces', { namespaces: ['shop'], networkPolicies: { enabled: true } }],
  ['remote', { role: 'remote' }],
  ['overlays/remote-production', { role: 'remote', networkPolicies: { enabled: true } }],
  ['overlays/remote-openshift', { role: 'remote', openshift: true, networkPolicies: { enabled: true } }],
  [
    'overlays/remote-named-namespaces',
    { role: 'remote', namespaces: ['shop'], networkPolicies: { enabled: true } },
  ],
];
