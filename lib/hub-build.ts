import { createHash } from 'node:crypto'
import { Lazy } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'
import { Asset } from 'aws-cdk-lib/aws-s3-assets'

const BUILD_LENGTH = 16

/**
 * The name of a hub's build: the same exactly if the content of all its bundles is, and what its loop is told to do.
 * A bundle's hash stands for its content alone, without the function's environment, so the name may stand there.
 */
export class HubBuild {
  readonly #parts = new Map<string, string>()
  /** Stands for the name until all functions are known. */
  readonly name: string = Lazy.string({ produce: () => this.#digest() })

  add(name: string, bundled: IConstruct): void {
    const asset = bundled.node.findChild('Code')
    if (!(asset instanceof Asset)) throw new Error(`The code of ${bundled.node.path} is not a bundle.`)
    this.#parts.set(name, asset.assetHash)
  }

  /** A loop that works by other settings is another build, so that it takes over at once. */
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
