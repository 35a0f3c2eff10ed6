# fish completion for gk-frontd, printed by `gk-frontd __complete fish`
complete -c gk-frontd -l root -r -F -d 'everything of this gk is below DIR'
complete -c gk-frontd -l help -d 'this text'
complete -c gk-frontd -l version -d 'the version'
complete -c gk-frontd -n __fish_use_subcommand -f -a serve -d 'serve until SIGTERM; SIGHUP reads configuration and certificates again'
