import * as z from 'zod'

/**
 * What a crash report may hold of an inspect: each field by name. Never the environment, the command, labels or log
 * options, which may carry what nobody else should see.
 */
export const Examination = z.object({
  Id: z.string(),
  Name: z.string(),
  Image: z.string().optional(),
  Created: z.string(),
  RestartCount: z.number().optional(),
  Driver: z.string().optional(),
  Platform: z.string().optional(),
  State: z.object({
    Status: z.string(),
    Running: z.boolean().optional(),
    Paused: z.boolean().optional(),
    OOMKilled: z.boolean(),
    Dead: z.boolean().optional(),
    Pid: z.number().optional(),
    ExitCode: z.number(),
    Error: z.string(),
    StartedAt: z.string(),
    FinishedAt: z.string(),
  }),
  Config: z.object({ Image: z.string() }),
  HostConfig: z.object({
    NanoCpus: z.number().optional(),
    Memory: z.number().optional(),
    MemorySwap: z.number().optional(),
    PidsLimit: z.number().nullish(),
    Runtime: z.string().optional(),
    NetworkMode: z.string().optional(),
    LogConfig: z.object({ Type: z.string() }).optional(),
  }),
})
