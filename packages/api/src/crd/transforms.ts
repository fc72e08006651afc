import { z } from 'zod';

import { dnsLabel } from './common.js';
import { labelSelector } from './label-selector.js';

/** A rule in CEL that the API server evaluates at each write. */
function validated<T extends z.ZodType>(schema: T, ...rules: { rule: string; message: string }[]): T {
  return schema.meta({ 'x-kubernetes-validations': rules });
}

/**
 * An invalid pattern makes `matches` fail, and with it the rule; a valid one is fine whatever it matches. The API
 * server has RE2, whose syntax is ours.
 */
function validPattern(field: string): { rule: string; message: string } {
  const rule = `!has(self.${field}) || (''.matches(self.${field}) ? true : true)`;
  return { rule, message: `${field} must be a regular expression (RE2)` };
}

const pattern = z.string().min(1).max(1024);

const hostMapping = validated(
  z.object({
    suffix: z
      .string()
      .min(1)
      .max(253)
      .optional()
      .describe('End of a host name, whole labels; it is replaced by replacement.'),
    pattern: pattern
      .optional()
      .describe('Regular expression (RE2) of a whole host name; replacement can use $1 to $9.'),
    replacement: z.string().min(1).max(253),
  }),
  { rule: 'has(self.suffix) != has(self.pattern)', message: 'give either suffix or pattern' },
  validPattern('pattern'),
);

export const ingressConfig = z.object({
  hostMappings: z
    .array(hostMapping)
    .max(50)
    .optional()
    .describe('Host names of Ingresses, Gateways and their routes; the first entry that fits counts.'),
  classMapping: z
    .record(z.string(), z.string())
    .optional()
    .describe('Ingress class at the destination by ingress class in the source; "*" maps the rest.'),
});

export const imageConfig = z.object({
  registryMapping: z
    .record(z.string(), z.string().min(1))
    .optional()
    .describe(
      'New beginning of image names by the old one, the longest counts; "*" is the registry of the rest.',
    ),
});

export const namespaceMapping = z
  .record(z.string(), dnsLabel)
  .describe(
    'Namespaces that objects refer to (subjects, selectors by name, webhooks, ExternalName): name at the destination by name in the source.',
  );

const pointer = z.string().min(1).max(1024).regex(/^\//);

/** Any JSON. */
const anything = z.unknown().meta({ 'x-kubernetes-preserve-unknown-fields': true, nullable: true });

const operation = validated(
  z.object({
    op: z.enum(['add', 'remove', 'replace', 'move', 'copy', 'test']),
    path: pointer.describe('JSON pointer.'),
    from: pointer.optional().describe('JSON pointer, for move and copy.'),
    value: anything.optional(),
  }),
  {
    rule: "has(self.from) == (self.op == 'move' || self.op == 'copy')",
    message: 'from is for move and copy, and needed there',
  },
);

const transform = validated(
  z.object({
    name: z
      .string()
      .min(1)
      .max(63)
      .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
      .describe('How messages call the rule.'),
    selector: validated(
      z.object({
        kinds: z
          .array(z.string().min(1).max(317))
          .max(50)
          .optional()
          .describe('Types as in resourceTypes; nothing: all.'),
        names: pattern.optional().describe('Regular expression (RE2) of the whole name.'),
        labelSelector: labelSelector.optional(),
      }),
      validPattern('names'),
    ).default({}),
    jsonPatch: z
      .array(operation)
      .min(1)
      .max(100)
      .optional()
      .describe('JSON patch (RFC 6902). Where a test does not hold, the rule leaves the object as it is.'),
    mergePatch: z
      .looseObject({})
      .optional()
      .meta({ 'x-kubernetes-preserve-unknown-fields': true })
      .describe('JSON merge patch (RFC 7386): null removes.'),
    values: z
      .array(
        z.object({
          path: pointer.describe(
            'JSON pointer to what is set; * means every item of a list or field of an object.',
          ),
          expression: z
            .string()
            .min(1)
            .max(4096)
            .describe('CEL: sees object, value (what is there now), source and destination; null removes.'),
        }),
      )
      .min(1)
      .max(50)
      .optional()
      .describe('Fields with computed values.'),
  }),
  {
    rule: '[has(self.jsonPatch), has(self.mergePatch), has(self.values)].exists_one(given, given)',
    message: 'give one of jsonPatch, mergePatch and values',
  },
);

export const transforms = z
  .array(transform)
  .max(100)
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
  .describe('Rules for the objects at the destination, applied in their order after all mappings.');

export type TransformRule = z.infer<typeof transform>;
