/**
 * The node (of the cluster's list, from 0) at which those peers stand that stand at one node only. `--aim` leads the
 * faults there: a fault elsewhere would say nothing about them. Not 0: what owns slot 0 has scenarios of its own.
 */
export const home = 1;
