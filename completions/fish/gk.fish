# fish completion for gk, printed by `gk __complete fish`
complete -c gk -l help -d 'this text'
complete -c gk -l version -d 'the version'
complete -c gk -n __fish_use_subcommand -f -a help -d 'show all programs by group, or one program\'s manual page'
