import { isAlias, isCollection, isPair, isScalar, parseDocument, visit } from 'yaml';

/**
 * Why a text was not accepted. Holds a position at most, never a piece of the text: what is read here may be the
 * content of a Secret.
 */
export class UntrustedYamlError extends Error {
  override readonly name = 'UntrustedYamlError';
}

const limits = {
  bytes: 128 * 1024,
  lines: 4096,
  /** Characters of white space in a row, and so the depth of block nesting by indentation. */
  blankRun: 64,
  /** "- ", "? " and ": " on one line, and so the depth of compact nesting. */
  indicatorsPerLine: 4,
  /** Openers and separators of flow collections in the whole text. */
  flow: 256,
  /** Words that begin as anchors, aliases and tags do; all are refused, but one by one at a quadratic cost. */
  marks: 16,
} as const;

/**
 * Parses YAML or JSON written by someone who may wish us harm into plain values.
 *
 * The limits are checked on the text before the parser sees it, because the parser can't be trusted with it:
 * 128 KiB of "- - - -" makes yaml 2.9.1 build a regular expression that V8 ends the *process* over (it quotes the
 * indentation as a repeat count, lexer and block scalars), which no try/catch holds, and duplicate-key detection is
 * quadratic. Anchors, aliases, tags and several documents have no use in configuration and are refused.
 *
 * @throws UntrustedYamlError
 */
export function parseUntrustedYaml(input: string | Uint8Array): unknown {
  const text = decode(input);
  if (text.trimStart().startsWith('{')) {
    const json = parseJson(text);
    if (json !== undefined) return json.value;
  }
  checkShape(text);
  return parseYaml(text);
}

function decode(input: string | Uint8Array): string {
  const size = typeof input === 'string' ? Buffer.byteLength(input) : input.byteLength;
  if (size > limits.bytes) throw new UntrustedYamlError(`is larger than ${limits.bytes / 1024} KiB`);
  if (typeof input === 'string') return input;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(input);
  } catch {
    throw new UntrustedYamlError('is not valid UTF-8');
  }
}

function parseJson(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function checkShape(text: string): void {
  if (/\r(?!\n)/.test(text)) throw new UntrustedYamlError('has a carriage return within a line');
  const lines = text.split('\n');
  if (lines.length > limits.lines) throw new UntrustedYamlError(`has more than ${limits.lines} lines`);
  if ((text.match(/[[{,]/g) ?? []).length > limits.flow) {
    throw new UntrustedYamlError('has too many flow collections or entries in them');
  }
  if ((text.match(/(?<=^|[\s[{,])[&*!]/g) ?? []).length > limits.marks) {
    throw new UntrustedYamlError('has too many anchors, aliases or tags');
  }
  const blanks = new RegExp(`[ \\t]{${limits.blankRun + 1}}`);
  for (const [index, line] of lines.entries()) {
    const indicators = line.match(/(?<=^|[ \t])[-?:](?=[ \t\r]|$)/g) ?? [];
    if (indicators.length > limits.indicatorsPerLine || blanks.test(line)) {
      throw new UntrustedYamlError(`is nested too deeply at line ${index + 1}`);
    }
  }
}

function parseYaml(text: string): unknown {
  const document = parseDocument(text, {
    prettyErrors: false,
    // Its warnings go to standard error and quote the text.
    logLevel: 'error',
    merge: false,
    uniqueKeys: true,
    schema: 'core',
  });
  const [error] = document.errors;
  if (error !== undefined) {
    const line = text.slice(0, error.pos[0]).split('\n').length;
    throw new UntrustedYamlError(`is not valid YAML at line ${line} (${error.code})`);
  }
  visit(document, (_key, node) => {
    if (isAlias(node)) throw new UntrustedYamlError('uses a YAML alias');
    if (isPair(node) && isCollection(node.key)) throw new UntrustedYamlError('uses a collection as a key');
    if (!isScalar(node) && !isCollection(node)) return;
    if (node.anchor !== undefined) throw new UntrustedYamlError('uses a YAML anchor');
    if (node.tag !== undefined) throw new UntrustedYamlError('uses a YAML tag');
  });
  return document.toJS({ maxAliasCount: 0 });
}
