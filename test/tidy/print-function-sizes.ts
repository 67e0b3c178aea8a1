/** `npm run function-sizes`: how long the functions of production code are, and which are the longest. */
import { functionSizes, isProductionCode, summarizeSizes } from './function-sizes.ts'
import { readRepository } from './repository-files.ts'

const files = readRepository().filter(({ path }) => isProductionCode(path))
const { count, median, p90, max, largest } = summarizeSizes(files.flatMap(functionSizes))

process.stdout.write(
  `${count} functions in ${files.length} files\n` +
    `lines: median ${median}, 90 % have at most ${p90}, longest ${max}\n` +
    largest.map(({ at, lines }) => `  ${String(lines).padStart(3)}  ${at}\n`).join(''),
)
