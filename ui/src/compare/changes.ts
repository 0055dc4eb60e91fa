// The change of the whole as steps from the first duration to the second, the greatest first.

import type { ComparedOperation, Comparison } from '../api';

export interface Step {
  /** Of the operation; null: what many have changed together. */
  operation: ComparedOperation | null;
  /** How many operations it stands for. */
  count: number;
  change: number;
  /** Where it begins and ends, nanoseconds. */
  from: number;
  to: number;
}

export const changeOf = ({ first, second }: ComparedOperation) =>
  Number(second.pathNano) - Number(first.pathNano);

/** What the steps add up to is the second duration, exactly: the rest is one step. */
export function stepsOf({ first, operations }: Comparison, most: number): Step[] {
  const changed = operations.filter((each) => changeOf(each) !== 0);
  const shown = changed.length <= most ? changed : changed.slice(0, most - 1);
  const rest = changed.slice(shown.length);
  const steps: Step[] = [];
  let at = Number(first.durationNano);
  const add = (operation: ComparedOperation | null, count: number, change: number) => {
    steps.push({ operation, count, change, from: at, to: at + change });
    at += change;
  };
  for (const each of shown) add(each, 1, changeOf(each));
  if (rest.length > 0) {
    add(
      null,
      rest.length,
      rest.reduce((sum, each) => sum + changeOf(each), 0),
    );
  }
  return steps;
}
