/** Reads TypeScript as text, just well enough for rules: what is code, what is comment or string, what is imported. */

/** Comments, strings, regular expressions (only where one can start), backquotes and braces; the rest is code. */
const TOKEN =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|[`{}]|(?<=(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|of|case))\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/g

/** The literal part of a template, up to its end or its next substitution. */
const TEMPLATE_PART = /(?:\\[\s\S]|\$(?!\{)|[^`\\$])*(?:`|\$\{|$)/y

/** The text with every comment blanked out, and on request every string as well; all places stay where they were. */
export function mask(text: string, what: 'comments' | 'comments and strings'): string {
  let masked = ''
  let end = 0
  const openBraces: number[] = [] // one count per template substitution that the place is inside of
  const copy = (until: number) => {
    masked += text.slice(end, until)
    end = until
  }
  const hide = (until: number, isComment: boolean) => {
    const hidden = text.slice(end, until)
    masked += isComment || what !== 'comments' ? hidden.replace(/[^\n]/g, ' ') : hidden
    end = until
  }
  const hideTemplatePart = () => {
    TEMPLATE_PART.lastIndex = end
    const part = TEMPLATE_PART.exec(text)?.[0] ?? ''
    hide(end + part.length, false)
    if (part.endsWith('${')) openBraces.push(0)
  }
  for (let match = nextToken(text, end); match; match = nextToken(text, end)) {
    const [token] = match
    copy(match.index)
    const depth = openBraces.at(-1)
    if (token === '`' || (token === '}' && depth === 0)) {
      if (token === '}') openBraces.pop()
      hide(end + 1, false)
      hideTemplatePart()
    } else if (token === '{' || token === '}') {
      if (depth !== undefined) openBraces[openBraces.length - 1] = depth + (token === '{' ? 1 : -1)
      copy(end + 1)
    } else {
      hide(end + token.length, token.startsWith('//') || token.startsWith('/*'))
    }
  }
  copy(text.length)
  return masked
}

function nextToken(text: string, from: number): RegExpExecArray | null {
  TOKEN.lastIndex = from
  return TOKEN.exec(text)
}

export type Import = { specifier: string; clause: string; line: number }

const IMPORT =
  /\b(?:import|export)\b(?<clause>[^'"`;]*?)\bfrom\s*['"](?<from>[^'"]+)['"]|\bimport\s*\(?\s*['"](?<bare>[^'"]+)['"]/g

/** Every import and re-export with what stands between the keyword and `from`. Those inside strings don't count. */
export function importsOf(text: string): Import[] {
  const withStrings = mask(text, 'comments')
  const code = mask(text, 'comments and strings')
  return [...withStrings.matchAll(IMPORT)]
    .filter((match) => code[match.index] !== ' ')
    .map((match) => ({
      specifier: match.groups?.['from'] ?? match.groups?.['bare'] ?? '',
      clause: (match.groups?.['clause'] ?? '').trim(),
      line: lineOf(text, match.index),
    }))
}

/** `line N: …` for each match of the pattern. */
export function matchesOf(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => `line ${lineOf(text, match.index)}: ${match[0].trim()}`)
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}
