# fish completion for gk-smtpd, printed by `gk-smtpd __complete fish`
complete -c gk-smtpd -l root -r -F -d 'where everything of this gk lives, instead of the system\'s places'
complete -c gk-smtpd -l help -d 'this text'
complete -c gk-smtpd -l version -d 'the version'
complete -c gk-smtpd -n __fish_use_subcommand -f -a serve -d 'serve in the foreground until SIGTERM; SIGHUP reloads configuration and certificates'
