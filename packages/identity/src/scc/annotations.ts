import { parseBlock, parseBlocks, type Block } from './blocks.js';
import { failure, success, type Outcome } from './outcome.js';
import type { IdRange } from './types.js';

/** Annotations of an OpenShift namespace, made by its cluster-policy-controller (openshift/api security/v1). */
export const sccAnnotation = {
  /** One block: user ids. */
  uidRange: 'openshift.io/sa.scc.uid-range',
  /** List of blocks: group ids. Absent: the user ids serve. */
  supplementalGroups: 'openshift.io/sa.scc.supplemental-groups',
  /** SELinux level, for example `s0:c26,c20`. */
  mcs: 'openshift.io/sa.scc.mcs',
} as const;

export type Annotations = Readonly<Record<string, string>>;

export function uidRange(annotations: Annotations): Outcome<IdRange> {
  const text = required(annotations, sccAnnotation.uidRange);
  if (!text.ok) return text;
  if (text.value.includes(',')) {
    // OpenShift stops reading at the comma; whoever wrote the second block thinks that it counts.
    const first = parseBlocks(text.value.slice(0, text.value.indexOf(',')));
    if (!first.ok) return first;
    return failure(`${sccAnnotation.uidRange} has more than one block`, 'SeveralBlocks');
  }
  const block = parseBlock(text.value);
  return block.ok ? success(asRange(block.value)) : block;
}

/** The level as it is written; `canonicalLevel` says what it means. */
export function level(annotations: Annotations): Outcome<string> {
  return required(annotations, sccAnnotation.mcs);
}

/** Exactly one id, the first of the first block, however many the annotation shows. */
export function fsGroupRanges(annotations: Annotations, namespace: string): Outcome<IdRange[]> {
  const blocks = groupBlocks(annotations, namespace);
  if (!blocks.ok) return blocks;
  return success(blocks.value.slice(0, 1).map(({ start }) => ({ min: start, max: start })));
}

export function supplementalGroupsRanges(annotations: Annotations, namespace: string): Outcome<IdRange[]> {
  const blocks = groupBlocks(annotations, namespace);
  return blocks.ok ? success(blocks.value.map(asRange)) : blocks;
}

function groupBlocks(annotations: Annotations, namespace: string): Outcome<readonly Block[]> {
  // Present but empty is an error: there is no falling back then.
  const text = annotations[sccAnnotation.supplementalGroups] ?? annotations[sccAnnotation.uidRange];
  if (text === undefined) {
    return failure(`unable to find supplemental group or uid annotation for namespace ${namespace}`);
  }
  if (text === '') {
    return failure(
      `unable to find groups using ${sccAnnotation.supplementalGroups} and ${sccAnnotation.uidRange} annotations`,
    );
  }
  return parseBlocks(text);
}

function required(annotations: Annotations, name: string): Outcome<string> {
  const text = annotations[name];
  if (text === undefined) return failure(`unable to find annotation ${name}`);
  if (text === '') return failure(`found annotation ${name} but it was empty`);
  return success(text);
}

function asRange({ start, end }: Block): IdRange {
  return { min: start, max: end };
}
