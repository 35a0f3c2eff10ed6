# fish completion for gk-imapd, printed by `gk-imapd __complete fish`
complete -c gk-imapd -l root -r -F -d 'where everything of this gk lives, instead of the system\'s places'
complete -c gk-imapd -l stdio -d 'one session on standard input and output'
complete -c gk-imapd -l account -x -d 'with --stdio: the account'
complete -c gk-imapd -l help -d 'this text'
complete -c gk-imapd -l version -d 'the version'
complete -c gk-imapd -n __fish_use_subcommand -f -a serve -d 'serve the sessions that gk-frontd hands over until SIGTERM'
complete -c gk-imapd -n __fish_use_subcommand -f -a stdio -d 'the same as --stdio'
