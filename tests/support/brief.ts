/**
 * For processes that live for seconds: Node compiles the embedded database once, quickly. To compile what is used often a second
 * time, for speed, would cost them more than it gives: making a schema takes a third of the processor's time without it.
 */
export const BRIEF: readonly string[] = ['--liftoff-only'];
