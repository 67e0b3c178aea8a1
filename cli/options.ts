import { InvalidArgumentError, Option } from 'commander'

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`)
    return value
  }
}

export function protocolOption(): Option {
  return new Option('--protocol <generation>', "generation of the sandbox's API")
    .choices(['v1', 'v2'])
    .default('v2')
}
