import * as z from 'zod'

const CredentialsEnv = z.object({
  AWS_ACCESS_KEY_ID: z.string().min(1),
  AWS_SECRET_ACCESS_KEY: z.string().min(1),
  AWS_SESSION_TOKEN: z.string().min(1).optional(),
})

/**
 * Replaces the SDK's chain of credential providers in the bundles. A function has its role's credentials in its
 * environment, and support for profiles, single sign-on and instance roles would be a fifth of each bundle.
 */
export function defaultProvider() {
  return async () => {
    const env = CredentialsEnv.parse(process.env)
    return {
      accessKeyId: env.AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
      ...(env.AWS_SESSION_TOKEN !== undefined && { sessionToken: env.AWS_SESSION_TOKEN }),
    }
  }
}
