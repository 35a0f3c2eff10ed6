# fish completion for gk-status, printed by `gk-status __complete fish`
complete -c gk-status -l root -r -F -d 'everything of this gk is below DIR'
complete -c gk-status -s j -d 'one JSON object a daemon'
complete -c gk-status -l json -d 'one JSON object a daemon'
complete -c gk-status -l help -d 'this text'
complete -c gk-status -l version -d 'the version'
