/**
 * The index (in the cluster's list) of the node to which peers connect that use one node only. `--aim` directs the faults
 * there, as a fault elsewhere would not affect them. Not 0: the owner of slot 0 has scenarios of its own.
 */
export const aimedNode = 1;
