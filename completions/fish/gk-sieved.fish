# fish completion for gk-sieved, printed by `gk-sieved __complete fish`
complete -c gk-sieved -l root -r -F -d 'where everything of this gk lives, instead of the system\'s places'
complete -c gk-sieved -l stdio -d 'one session on standard input and output'
complete -c gk-sieved -l account -x -d 'with --stdio: the account'
complete -c gk-sieved -l help -d 'this text'
complete -c gk-sieved -l version -d 'the version'
complete -c gk-sieved -n __fish_use_subcommand -f -a serve -d 'serve the sessions that gk-frontd hands over until SIGTERM'
complete -c gk-sieved -n __fish_use_subcommand -f -a stdio -d 'the same as --stdio'
