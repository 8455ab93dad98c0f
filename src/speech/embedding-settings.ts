import { z } from 'zod';

/** How many numbers a vector has; the same option for every embedding vendor. */
export const dimensionsSchema = z.int().min(64).max(4096);

/** Below which cosine a passage is left out; the same option for every embedding vendor, each with a default of its own. */
export const minSimilaritySchema = z.number().min(0).max(1);
