import { createHash } from 'node:crypto'
import { Lazy } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'
import { Asset } from 'aws-cdk-lib/aws-s3-assets'

const BUILD_LENGTH = 16

/**
 * The name of a hub's build: a hash of all its bundles and of the loop's settings. A bundle's hash covers only the code,
 * not the function's environment, so the name can be part of the environment.
 */
export class HubBuild {
  readonly #parts = new Map<string, string>()
  /** A token that is resolved once all functions have been added. */
  readonly name: string = Lazy.string({ produce: () => this.#digest() })

  add(name: string, bundled: IConstruct): void {
    const asset = bundled.node.findChild('Code')
    if (!(asset instanceof Asset)) throw new Error(`The code of ${bundled.node.path} is not a bundle.`)
    this.#parts.set(name, asset.assetHash)
  }

  /** Changed settings of a loop make another build, so that the new loop takes over at once. */
  addSettings(name: string, settings: Readonly<Record<string, string | undefined>>): void {
    this.#parts.set(`${name} settings`, JSON.stringify(settings))
  }

  #digest(): string {
    const hash = createHash('sha256')
    for (const entry of [...this.#parts].toSorted(([a], [b]) => (a < b ? -1 : 1)))
      hash.update(entry.join('='))
    return hash.digest('hex').slice(0, BUILD_LENGTH)
  }
}
