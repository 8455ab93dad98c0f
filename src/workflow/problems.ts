import type { z } from 'zod';

/** One thing wrong with a document or its settings, for people: what, where, and what to do about it. */
export interface Problem {
  readonly kind: 'node' | 'edge' | 'workflow';
  /** Id of the node or edge; `workflow` or `settings` for the whole. */
  readonly id: string;
  /** Dotted path inside it; empty where the whole is meant. */
  readonly field: string;
  readonly message: string;
  readonly cure: string;
}

/** Where an issue was found. */
interface ProblemPlace {
  readonly kind: Problem['kind'];
  readonly id: string;
}

const fieldOf = (path: readonly PropertyKey[]): string => path.map(String).join('.');

function issueProblem(issue: z.core.$ZodIssue, place: ProblemPlace): readonly Problem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      ...place,
      field: fieldOf([...issue.path, key]),
      message: `unknown field: ${key}`,
      cure: `Remove ${key}, or check its spelling.`,
    }));
  }
  const field = fieldOf(issue.path);
  return [{ ...place, field, message: issue.message, cure: field === '' ? 'Correct it.' : `Correct ${field}.` }];
}

/** Schema issues as problems of one node, edge or the whole; unknown keys one by one. */
export function issueProblems(issues: readonly z.core.$ZodIssue[], place: ProblemPlace): readonly Problem[] {
  return issues.flatMap((issue) => issueProblem(issue, place));
}

/** A problem of one node. */
export const nodeProblem = (id: string, field: string, message: string, cure: string): Problem => ({ kind: 'node', id, field, message, cure });

/** A problem of one edge. */
export const edgeProblem = (id: string, field: string, message: string, cure: string): Problem => ({ kind: 'edge', id, field, message, cure });
