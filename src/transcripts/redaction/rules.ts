/**
 * A key format: a fixed prefix, then a run of characters. Nothing follows the run, so matching is linear whatever the
 * text; a length outside the limits is not that key.
 */
export interface PrefixRule {
  readonly name: string;
  readonly prefixes: readonly string[];
  /** Characters of the run, as between the brackets of a regular expression. */
  readonly characters: string;
  readonly minLength: number;
  readonly maxLength: number;
  /** The prefix stands inside a word; otherwise a word must begin with it. */
  readonly inside?: boolean;
}

const word = "A-Za-z0-9_";
const wordDash = "A-Za-z0-9_-";

export const prefixRules: readonly PrefixRule[] = [
  rule("anthropic-key", ["sk-ant-"], wordDash, 20, 300),
  rule("openai-key", ["sk-proj-", "sk-svcacct-", "sk-admin-", "sk-or-v1-"], wordDash, 20, 300),
  rule("secret-key", ["sk-"], "A-Za-z0-9", 32, 200),
  rule("github-token", ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], "A-Za-z0-9", 30, 255),
  rule("github-pat", ["github_pat_"], word, 40, 255),
  rule("gitlab-token", ["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "gloas-"], `.${wordDash}`, 18, 300),
  rule(
    "slack-token",
    ["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xapp-"],
    "A-Za-z0-9.-",
    10,
    300,
  ),
  rule("slack-webhook", ["hooks.slack.com/services/"], "A-Za-z0-9/+_", 30, 100),
  rule("aws-key-id", ["AKIA", "ASIA", "ABIA", "ACCA"], "A-Z0-9", 16, 16),
  rule("google-key", ["AIza"], wordDash, 35, 35),
  rule("google-oauth", ["ya29.", "GOCSPX-"], wordDash, 20, 400),
  rule("stripe-key", ["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"], "A-Za-z0-9", 16, 250),
  rule("npm-token", ["npm_"], "A-Za-z0-9", 36, 36),
  rule("pypi-token", ["pypi-AgEIcHlwaS5vcmc", "pypi-AgENdGVzdC5weXBpLm9yZw"], wordDash, 40, 400),
  rule("huggingface-token", ["hf_"], "A-Za-z0-9", 30, 50),
  rule("sendgrid-key", ["SG."], `.${wordDash}`, 60, 80),
  rule("digitalocean-token", ["dop_v1_", "doo_v1_", "dor_v1_"], "a-f0-9", 64, 64),
  rule("doppler-token", ["dp.pt.", "dp.st.", "dp.sa."], `.${wordDash}`, 40, 90),
  rule("shopify-token", ["shpat_", "shpca_", "shppa_", "shpss_"], "a-fA-F0-9", 32, 32),
  rule("linear-key", ["lin_api_", "lin_oauth_"], "A-Za-z0-9", 32, 80),
  rule("notion-token", ["ntn_", "secret_"], "A-Za-z0-9", 40, 60),
  rule("figma-token", ["figd_"], wordDash, 30, 60),
  rule("grafana-token", ["glsa_", "glc_"], "A-Za-z0-9_+/=", 32, 400),
  rule("vault-token", ["hvs.", "hvb."], wordDash, 60, 300),
  { ...rule("terraform-token", [".atlasv1."], `=${wordDash}`, 60, 80), inside: true },
  { ...rule("telegram-token", [":AA"], wordDash, 33, 33), inside: true },
  rule("sentry-token", ["sntrys_", "sntryu_"], "A-Za-z0-9_+/=", 40, 400),
  rule("databricks-token", ["dapi"], "a-f0-9", 32, 40),
  rule("groq-key", ["gsk_"], "A-Za-z0-9", 50, 60),
  rule("xai-key", ["xai-"], "A-Za-z0-9", 70, 90),
  rule("replicate-token", ["r8_"], "A-Za-z0-9", 37, 40),
  rule("perplexity-key", ["pplx-"], "A-Za-z0-9", 40, 60),
  rule("age-key", ["AGE-SECRET-KEY-1"], "A-Z0-9", 58, 58),
  rule("azure-storage-key", ["AccountKey="], "A-Za-z0-9+/=", 80, 100),
  rule("azure-shared-key", ["SharedAccessKey="], "A-Za-z0-9+/=", 40, 100),
  rule("supabase-token", ["sbp_", "sbp_v0_"], "a-f0-9", 40, 64),
  rule("supabase-key", ["sb_secret_"], wordDash, 20, 80),
  rule("postman-key", ["PMAK-"], "a-f0-9-", 59, 64),
  rule("atlassian-token", ["ATATT3", "ATCTT3"], "A-Za-z0-9_=-", 60, 300),
  rule("vercel-blob-token", ["vercel_blob_rw_"], word, 30, 80),
  rule("mailgun-key", ["key-"], "a-f0-9", 32, 32),
  rule("fly-token", ["fm2_", "fm1r_", "fm1a_", "fo1_"], "A-Za-z0-9+/=_,-", 40, 900),
  rule(
    "discord-webhook",
    ["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"],
    `/${wordDash}`,
    60,
    120,
  ),
  rule("docker-token", ["dckr_pat_", "dckr_oat_"], wordDash, 25, 60),
  rule("planetscale-token", ["pscale_tkn_", "pscale_pw_", "pscale_oauth_"], `.=${wordDash}`, 30, 70),
  rule("pulumi-token", ["pul-"], "a-f0-9", 40, 40),
  rule("rubygems-key", ["rubygems_"], "a-f0-9", 48, 48),
  rule("new-relic-key", ["NRAK-", "NRJS-", "NRII-"], "A-Za-z0-9_-", 19, 40),
  rule("sonar-token", ["squ_", "sqp_", "sqa_"], "a-f0-9", 40, 40),
  rule("tailscale-key", ["tskey-auth-", "tskey-api-", "tskey-client-"], wordDash, 20, 80),
  rule("airtable-token", ["pat"], "A-Za-z0-9.", 79, 79),
  rule("square-token", ["sq0atp-", "sq0csp-"], wordDash, 22, 60),
  rule("brevo-key", ["xkeysib-", "xsmtpsib-"], "A-Za-z0-9-", 60, 90),
  rule("hubspot-token", ["pat-na1-", "pat-eu1-"], "a-f0-9-", 36, 36),
  rule("clojars-token", ["CLOJARS_"], "A-Za-z0-9", 60, 60),
  rule("nvidia-key", ["nvapi-"], wordDash, 60, 80),
  rule("dynatrace-token", ["dt0c01.", "dt0s01."], "A-Z0-9.", 80, 100),
  rule("onepassword-token", ["ops_eyJ"], `=${wordDash}`, 200, 1000),
  rule("easypost-key", ["EZAK", "EZTK"], "A-Za-z0-9", 54, 54),
  rule("duffel-token", ["duffel_live_", "duffel_test_"], `=${wordDash}`, 43, 43),
  rule("typeform-token", ["tfp_"], `.=${wordDash}`, 59, 59),
  rule("alibaba-key-id", ["LTAI"], "A-Za-z0-9", 17, 26),
  rule("langsmith-key", ["lsv2_pt_", "lsv2_sk_"], "a-f0-9_", 40, 50),
  rule("langfuse-key", ["sk-lf-"], "a-f0-9-", 36, 36),
  rule("elevenlabs-key", ["sk_"], "a-f0-9", 48, 48),
  rule("pinecone-key", ["pcsk_"], word, 50, 90),
  rule("neon-key", ["napi_"], "a-z0-9", 60, 70),
  rule("netlify-token", ["nfp_"], "A-Za-z0-9", 36, 40),
  rule("circleci-token", ["CCIPAT_", "CCIPRJ_"], word, 50, 80),
  rule("buildkite-token", ["bkua_"], "a-z0-9", 40, 40),
  rule("posthog-key", ["phx_"], "A-Za-z0-9", 40, 50),
  rule("deno-token", ["ddp_", "ddw_"], "A-Za-z0-9", 36, 36),
  rule("cerebras-key", ["csk-"], "a-z0-9", 40, 60),
  rule("shippo-token", ["shippo_live_", "shippo_test_"], "a-f0-9", 40, 40),
  rule("prefect-key", ["pnu_"], "A-Za-z0-9", 36, 36),
  rule("readme-key", ["rdme_"], "a-z0-9", 70, 70),
  rule("heroku-key", ["HRKU-"], wordDash, 36, 70),
  rule("twilio-key", ["SK"], "a-f0-9", 32, 32),
];

function rule(
  name: string,
  prefixes: readonly string[],
  characters: string,
  minLength: number,
  maxLength: number,
): PrefixRule {
  return { name, prefixes, characters, minLength, maxLength };
}
