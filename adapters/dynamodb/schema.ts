/*
 * The names in the one table of a fleet, shared by the code that reads it, by the local emulator's table definition
 * and by the stack that creates it. This file imports nothing, so that the stack can import it.
 */

export const PARTITION_KEY = 'pk'
export const SORT_KEY = 'sk'

/** Sparse index of items by the time of their last change. Keys only, because an index may lag behind the items. */
export const CHANGES_INDEX = 'changes'
export const CHANGES_PARTITION_KEY = 'changed'
export const CHANGES_SORT_KEY = 'changedAt'

/** Partition keys of hosts start with this; functions that serve agents may touch no other item. */
export const HOST_PREFIX = 'HOST#'
