/** A request as an audit log has it; of `audit.k8s.io/v1` Event, what matters here. */
export interface AuditedCall {
  readonly user: string;
  readonly verb: string;
  readonly group: string;
  /** With its subresource: `pods/log`. */
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly code: number;
}

interface AuditEvent {
  readonly user: { readonly username: string };
  readonly verb: string;
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

/**
 * Requests for objects; those for paths alone (discovery, versions) every account may make. A patch that has made its
 * object is a "create" as well: the API server has asked for both.
 */
export function auditedCalls(log: string): AuditedCall[] {
  const lines = log.split('\n').filter((line) => line !== '');
  return lines.flatMap((line) => {
    const { user, verb, objectRef, responseStatus } = JSON.parse(line) as AuditEvent;
    if (objectRef?.resource === undefined) return [];
    const { apiGroup: group = '', resource, subresource, namespace, name } = objectRef;
    const call = {
      ...{ user: user.username, verb, group, namespace, name },
      resource: subresource === undefined ? resource : `${resource}/${subresource}`,
      code: responseStatus?.code ?? 0,
    };
    return verb === 'patch' && call.code === 201 ? [call, { ...call, verb: 'create' }] : [call];
  });
}

export function describeCall({ verb, group, resource, namespace }: AuditedCall): string {
  const type = group === '' ? resource : `${resource} of ${group}`;
  return `${verb} ${type}${namespace === undefined ? '' : ` in ${namespace}`}`;
}
