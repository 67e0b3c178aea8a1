import { readFile } from 'node:fs/promises'
import { formatIssue, parseTemplates, type Settings } from '../../config/index.ts'
import { messageOf, SlipwayError, type Template } from '../../core/model/index.ts'

export interface LoadedTemplates {
  readonly templates: readonly Template[]
  readonly warnings: readonly string[]
}

/** Reads and parses a templates file. Throws `templates-unreadable`, or ConfigError with all issues. */
export async function loadTemplates(file: string, settings?: Settings): Promise<LoadedTemplates> {
  const advice = settings === undefined ? '' : ' Check SHIPFOX_PROVISIONER_TEMPLATES_FILE.'
  const text = await readTemplatesFile(file, advice)
  const defaults =
    settings === undefined ? {} : { defaultMaxLifetimeMs: settings.runnerMaxLifetimeSeconds * 1000 }
  const { templates, warnings } = parseTemplates(text, file, defaults)
  return { templates, warnings: warnings.map((warning) => formatIssue(warning)) }
}

/** Throws `templates-unreadable`; its message ends with `advice`. */
export async function readTemplatesFile(file: string, advice = ''): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const what = `The templates file ${file} can't be read: ${messageOf(cause)}.${advice}`
    throw new SlipwayError('templates-unreadable', what, { cause })
  }
}
