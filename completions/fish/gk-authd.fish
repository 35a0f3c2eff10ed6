# fish completion for gk-authd, printed by `gk-authd __complete fish`
complete -c gk-authd -l root -r -F -d 'where everything of this gk lives, instead of the system\'s places'
complete -c gk-authd -l help -d 'this text'
complete -c gk-authd -l version -d 'the version'
complete -c gk-authd -n __fish_use_subcommand -f -a serve -d 'answer on the auth socket until SIGTERM'
