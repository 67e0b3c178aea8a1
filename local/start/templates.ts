import { readFile } from 'node:fs/promises'
import { formatMistake, parseTemplates, type Settings } from '../../config/index.ts'
import { messageOf, SlipwayError, type Template } from '../../core/model/index.ts'

export interface LoadedTemplates {
  readonly templates: readonly Template[]
  readonly warnings: readonly string[]
}

/** Reads and checks a templates file. Throws `templates-unreadable`, or every mistake at once. */
export async function loadTemplates(file: string, settings?: Settings): Promise<LoadedTemplates> {
  const text = await readTemplatesFile(file)
  const defaults =
    settings === undefined ? {} : { defaultMaxLifetimeMs: settings.runnerMaxLifetimeSeconds * 1000 }
  const { templates, warnings } = parseTemplates(text, file, defaults)
  return { templates, warnings: warnings.map((warning) => formatMistake(warning)) }
}

/** Throws `templates-unreadable`. */
export async function readTemplatesFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const what = `The templates file ${file} can't be read: ${messageOf(cause)}.`
    throw new SlipwayError('templates-unreadable', what, { cause })
  }
}
