import { type ErrorLike, isErrorLike } from './error-like.js';
import { KubeError, type LocalReason } from './kube-error.js';
import { describeOperation, type Operation } from './status-response.js';

const MAX_MESSAGE = 300;

/** Failures before a byte of the request left: trying again is safe for every method. */
const notSent: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the name server did not answer',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ETIMEDOUT: 'the connection timed out',
  UND_ERR_CONNECT_TIMEOUT: 'the connection timed out',
};

const others: Readonly<Record<string, [LocalReason, string]>> = {
  UND_ERR_HEADERS_TIMEOUT: ['Timeout', 'no response in time'],
  UND_ERR_BODY_TIMEOUT: ['Silent', 'the server fell silent'],
  UND_ERR_DESTROYED: ['Closed', 'the client was closed'],
  UND_ERR_CLOSED: ['Closed', 'the client was closed'],
};

/** Codes of OpenSSL and Node.js in words for the one who wrote the kubeconfig. */
const tlsMessages: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'the server certificate is self-signed and not the one in certificate-authority-data',
  SELF_SIGNED_CERT_IN_CHAIN: 'the server certificate is not signed by certificate-authority-data',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the server certificate is not signed by certificate-authority-data',
  UNABLE_TO_GET_ISSUER_CERT: 'the server certificate is not signed by certificate-authority-data',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the server certificate is not signed by certificate-authority-data',
  CERT_SIGNATURE_FAILURE: 'the server certificate is not signed by certificate-authority-data',
  CERT_HAS_EXPIRED: 'the server certificate has expired',
  CERT_NOT_YET_VALID: 'the server certificate is not valid yet (clock skew?)',
  CERT_REVOKED: 'the server certificate is revoked',
};

const TLS_CODE =
  /^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_|INVALID_|EPROTO$)/;

/** An error of undici, net or tls as a `KubeError`, with the cause in words. A `KubeError` is passed through. */
export function errorOfConnection(operation: Operation, err: unknown): unknown {
  if (err instanceof KubeError || !isErrorLike(err)) return err;
  const code = codeOf(err);
  if (code === undefined || err.name === 'AbortError') return err;
  const [reason, message] = classify(code, err);
  return new KubeError(`${describeOperation(operation)}: ${message} (${code})`, { status: 0, reason });
}

function classify(code: string, err: ErrorLike): [LocalReason, string] {
  const early = notSent[code];
  if (early !== undefined) return ['ConnectionFailed', early];
  const other = others[code];
  if (other !== undefined) return other;
  if (TLS_CODE.test(code)) return ['TlsFailed', tlsMessages[code] ?? err.message.slice(0, MAX_MESSAGE)];
  return ['ConnectionReset', 'the connection broke'];
}

/** Connecting to several addresses of a host at once gives an AggregateError, which need not have a code itself. */
function codeOf(err: ErrorLike): string | undefined {
  if (typeof err.code === 'string') return err.code;
  const first: unknown = Array.isArray(err.errors) ? err.errors[0] : undefined;
  return isErrorLike(first) ? codeOf(first) : undefined;
}
