import { mask } from './source-text.ts'

/**
 * Words that were replaced, and what to say instead, so that they stay replaced. `names` are identifiers in code,
 * `texts` are comments, strings and documentation.
 */
export type ReplacedWord = {
  in: 'names' | 'texts'
  pattern: RegExp
  say: string
  /** An example that the pattern must find. */
  found: string
  /** A similar example that is right. */
  right: string
}

export const REPLACED_WORDS: readonly ReplacedWord[] = [
  name(/\w*[cC]ooldown\w*/, 'backoff', 'hostCooldownMs', 'backoffMs'),
  name(/\w*[cC]ontrolPlane\w*/, 'hub', 'controlPlaneUrl', 'hubUrl'),
  name(/\w*(?:[wW]orker|[dD]ocker|[hH]ost)Node\w*/, 'host', 'dockerNode', 'hostName'),
  name(/\w*(?:[jJ]obSource|[dD]emandProvider)\w*/, 'source', 'jobSource', 'sourceOfJob'),
  name(/\w*[rR]unnerPod\w*/, 'runner', 'runnerPods', 'runners'),
  name(/tellAlive\w*/, 'emitHeartbeat', 'tellAlive', 'emitHeartbeat'),
  name(/[uU]pkeep\w*/, 'repair', 'upkeep', 'repair'),
  name(/[sS]ourceDesk\w*/, 'source state', 'SourceDesk', 'SourceState'),
  name(/[tT]emplateShelf\w*/, 'TemplatesInForce', 'TemplateShelf', 'TemplatesInForce'),
  name(/\w*[hH]indrance\w*/, 'not-ready reason', 'hindranceOf', 'notReadyReasonOf'),
  name(/[wW]indDown\w*/, 'drain', 'windDown', 'drain'),
  name(/[bB]ringUp\w*/, 'createAndStart', 'bringUp', 'createAndStart'),
  name(/[cC]aretaker\w*/, 'reconciler', 'CaretakerDeps', 'ReconcilerDeps'),
  name(/[cC]argo\w*/, 'payload', 'cargo', 'payload'),
  name(/bury\w*|buried\w*|homeless\w*/, 'declareDead, hostRemoved', 'buryHost', 'declareDead'),
  name(/[fF]oresee\w*|[fF]oresight\w*|foreseen\w*/, 'forecast', 'foresight', 'forecast'),
  name(/pok(?:e|es|ed|ing)(?![a-z])\w*/, 'relist', 'pokeEngine', 'spoken'),
  name(
    /(?:split|show|record|parse|put|get)BlackBox\w*|BLACK_BOX\w*/,
    'crash report',
    'splitBlackBox',
    'blackBox',
  ),
  name(/keepRunning\w*/, 'restartOnFailure', 'keepRunning', 'keepsRunning'),
  name(/say[A-Z]\w*/, 'formatX', 'sayDuration', 'say'),
  name(/SET_TOLD|toldValues|ToldOnce/, 'change mark, seen ids', 'SET_TOLD', 'told'),
  name(/(?:format)?Mistakes?(?:List)?/, 'issue', 'MistakeList', 'mistakes'),
  name(/HOPE/, 'rank', 'HOPE', 'SCOPE_HOPEFUL'),
  name(/Rooms/, 'FreeCapacity', 'Rooms', 'roomsOf'),
  name(/[oO]bstacles?/, 'infeasibility', 'Obstacle', 'infeasibility'),
  name(/clip(?=[A-Z(])\w*/, 'truncate', 'clipReason', 'clipped'),
  name(/[wW]akeup\w*/, 'notify', 'Wakeup', 'wakeUpAt'),
  name(/hearShutdown/, 'handleShutdown', 'hearShutdown', 'handleShutdown'),
  name(
    /add(?:Asking|Serving)Commands/,
    'addAdminCommands, addRunCommands',
    'addAskingCommands',
    'addCommands',
  ),
  text(/mend(?:s|ed|ing)?/, 'fix', 'once that is mended', 'amended, recommended'),
  text(
    /(?<![tT]here )(?:is|was|are) no (?:such )?(?:whole number|JSON|YAML|HTTP|URL|https? |plain |text\b|label\b|token\b|key\b|list\b|map\b|name\b)/,
    'is not a …',
    '"30s" is no whole number',
    'there is no token, which is not a whole number',
  ),
  text(/can(?:'t|not| not)? be had/, 'cannot be pulled', "can't be had", 'can be handed'),
  text(
    /writ(?:e|es|ing|ten) (?:\w+ )?off/,
    'declare lost',
    'what runs there is written off',
    'written offline',
  ),
  text(/[bB]lack box(?:es)?/, 'crash report', 'a black box of each', '"black-box" is a message'),
  text(/dial(?:s|ed|ling)? in/, 'connect', 'agents dial in here', 'an agent dials its hub'),
  text(/again and again/, 'repeatedly', 'fails again and again', 'tries again'),
  text(/tur(?:n|ns|ned) (?:\w+ ){0,2}away/, 'refuse, throttle', 'turned reports away', 'turned to the right'),
  text(/shut out/, 'revoke, remove', 'its agent is shut out', 'shut down'),
  text(/w(?:ind|inds|inding|ound) down/, 'drain', 'winding down takes 20 s', 'a windy download'),
  text(/go(?:es)? on without/, 'continue', 'running jobs go on without it', 'running jobs continue'),
  text(
    /tak(?:e|es|en) up (?:what|its|their)/,
    'continue, adopt',
    'takes up what was left',
    'takes up to 20 s',
  ),
]

function name(pattern: RegExp, say: string, found: string, right: string): ReplacedWord {
  return { in: 'names', pattern: whole(pattern), say, found, right }
}

function text(pattern: RegExp, say: string, found: string, right: string): ReplacedWord {
  return { in: 'texts', pattern: whole(pattern), say, found, right }
}

function whole({ source }: RegExp): RegExp {
  return new RegExp(`(?<![\\w$])(?:${source})(?![\\w$])`, 'g')
}

/** Only the comments and strings of a code file; everything else is blanked out. Other files are text as a whole. */
export function textsOf(text: string, isCode: boolean): string {
  if (!isCode) return text
  const code = mask(text)
  return Array.from({ length: text.length }, (_, at) => {
    const character = text.charAt(at)
    return character === '\n' || code.charAt(at) !== character ? character : ' '
  }).join('')
}
