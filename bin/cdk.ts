import { hubApp } from '../lib/hub-app.ts'
import { SettingsError } from '../lib/settings.ts'

try {
  hubApp().synth()
} catch (thrown) {
  if (!(thrown instanceof SettingsError)) throw thrown
  console.error(thrown.message)
  process.exitCode = 1
}
