keep;
    frob;
stop
