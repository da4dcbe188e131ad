/** What `--help` says of the configuration commands. */

export const CONFIG_SHOW_HELP = `
A value comes from its default, a YAML file (--config, or DOWNHOLE_CONFIG), or the environment;
the later wins. Of a secret that is a URL everything but the password is shown.

Examples:
  downhole config show --config downhole.yaml
  downhole config show --json | jq -r '.[] | select(.origin != "default") | .key'`;

export const CONFIG_CHECK_HELP = `
Nothing is changed anywhere, also with --connect. Exit codes: 0 all is well, 1 something that is
needed does not answer or cannot be used, 2 the configuration is not valid.

Examples:
  downhole config check --config downhole.yaml
  downhole config check --connect --config downhole.yaml`;
