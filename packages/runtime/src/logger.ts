import winston from 'winston';

/** What the code needs of a logger. Messages are constant strings; what varies goes into `fields`. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  child(fields: Record<string, unknown>): Logger;
}

export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Types that hold secrets do not print; this is the second net, for a secret that got out under its usual name. */
const secretKeys =
  /^(authorization|token|password|private_?key|id_rsa|kubeconfig|.*secret_?data|client-?key-?data)$/i;
const pemPrivate = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g;
const MAX_STRING = 8 * 1024;

function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return value.replace(pemPrivate, '[redacted]').slice(0, MAX_STRING);
  if (value === null || typeof value !== 'object') return value;
  if (depth > 6) return '[deep]';
  if (value instanceof Error) return redact(errorFields(value), depth + 1);
  if (value instanceof Date) return value;
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    return redact((value.toJSON as () => unknown).call(value), depth + 1);
  }
  if (Array.isArray(value)) return value.slice(0, 200).map((v) => redact(v, depth + 1));
  const out: Record<string, unknown> = {};
  for (const [key, v] of Object.entries(value)) {
    out[key] = secretKeys.test(key) ? '[redacted]' : redact(v, depth + 1);
  }
  return out;
}

function errorFields(err: Error): Record<string, unknown> {
  const code = 'code' in err ? { code: err.code } : {};
  const cause = err.cause instanceof Error ? { cause: errorFields(err.cause) } : {};
  return { name: err.name, ...code, message: err.message, stack: err.stack, ...cause };
}

/** One JSON object a line on standard output; `err` fields keep name, code, message and stack. */
export function createLogger(
  level: LogLevel,
  fields: Record<string, unknown>,
): Logger & { close(): Promise<void> } {
  const redacting = winston.format((info) => {
    for (const [key, value] of Object.entries(info)) info[key] = redact(value);
    return info;
  });
  const transport = new winston.transports.Console({ stderrLevels: [] });
  const root = winston.createLogger({
    level,
    format: winston.format.combine(winston.format.timestamp(), redacting(), winston.format.json()),
    defaultMeta: fields,
    transports: [transport],
  });
  return {
    ...wrap(root),
    // Lines still in the pipe are lost when a process ends without waiting for this.
    close: () =>
      new Promise<void>((resolve) => {
        root.once('finish', resolve);
        root.end();
      }),
  };
}

function wrap(logger: winston.Logger): Logger {
  const at = (level: LogLevel) => (message: string, fields?: Record<string, unknown>) => {
    logger.log(level, message, fields);
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => wrap(logger.child(fields)),
  };
}
