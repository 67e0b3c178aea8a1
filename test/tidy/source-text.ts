/** Reads TypeScript as text, just well enough for rules: what is code, and what is comment or string. */

/** Comments, strings, regular expressions (only where one can start), backquotes and braces; the rest is code. */
const TOKEN =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|[`{}]|(?<=(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|of|case))\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/g

/** The literal part of a template, up to its end or its next substitution. */
const TEMPLATE_PART = /(?:\\[\s\S]|\$(?!\{)|[^`\\$])*(?:`|\$\{|$)/y

/** The text with every comment and string blanked out; all places stay where they were. */
export function mask(text: string): string {
  let masked = ''
  let end = 0
  const openBraces: number[] = [] // one count per template substitution that the place is inside of
  const copy = (until: number) => {
    masked += text.slice(end, until)
    end = until
  }
  const hide = (until: number) => {
    masked += text.slice(end, until).replace(/[^\n]/g, ' ')
    end = until
  }
  const hideTemplatePart = () => {
    TEMPLATE_PART.lastIndex = end
    const part = TEMPLATE_PART.exec(text)?.[0] ?? ''
    hide(end + part.length)
    if (part.endsWith('${')) openBraces.push(0)
  }
  for (let match = nextToken(text, end); match; match = nextToken(text, end)) {
    const [token] = match
    copy(match.index)
    const depth = openBraces.at(-1)
    if (token === '`' || (token === '}' && depth === 0)) {
      if (token === '}') openBraces.pop()
      hide(end + 1)
      hideTemplatePart()
    } else if (token === '{' || token === '}') {
      if (depth !== undefined) openBraces[openBraces.length - 1] = depth + (token === '{' ? 1 : -1)
      copy(end + 1)
    } else {
      hide(end + token.length)
    }
  }
  copy(text.length)
  return masked
}

function nextToken(text: string, from: number): RegExpExecArray | null {
  TOKEN.lastIndex = from
  return TOKEN.exec(text)
}

/** `line N: …` for each match of the pattern. */
export function matchesOf(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => `line ${lineOf(text, match.index)}: ${match[0].trim()}`)
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}
