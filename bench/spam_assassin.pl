#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# SpamAssassin's Bayes alone, as sa-learn trains it: lines "spam PATH", "ham PATH" and "score PATH" on standard input; a
# score is answered by a number. The first argument is a directory for its database.
use strict;
use warnings;
use Mail::SpamAssassin;
use Mail::SpamAssassin::PerMsgStatus;

my $place = shift;
$| = 1;
# What the distribution sets for it: top-level domains, and words that are passed over.
my $rules = "";
for my $name (qw(20_aux_tlds.cf 60_bayes_stopwords.cf)) {
    open(my $file, "<", "/usr/share/spamassassin/$name") or die "$name: $!";
    $rules .= join("", <$file>) . "\n";
    close $file;
}
my $sa = Mail::SpamAssassin->new({
    dont_copy_prefs => 1, local_tests_only => 1, userprefs_filename => "/dev/null", rules_filename => "/dev/null",
    site_rules_filename => "/dev/null", userstate_dir => $place,
    post_config_text => $rules . "loadplugin Mail::SpamAssassin::Plugin::Bayes\nbayes_path $place/bayes\nuse_bayes 1\nuse_bayes_rules 1\n"
        . "bayes_auto_learn 0\nbayes_auto_expire 0\nbayes_min_spam_num 1\nbayes_min_ham_num 1\nbayes_learn_to_journal 0\n",
});
$sa->init(1);
$sa->init_learner({ caller_will_untie => 1, wait_for_lock => 1 });
my ($bayes) = grep { ref eq "Mail::SpamAssassin::Plugin::Bayes" } @{ $sa->{plugins}->{plugins} };
while (my $line = <STDIN>) {
    chomp $line;
    my ($what, $path) = split / /, $line, 2;
    open(my $file, "<", $path) or die "$path: $!";
    my @lines = <$file>;
    close $file;
    my $mail = $sa->parse(\@lines, 0);
    if ($what eq "score") {
        my $status = Mail::SpamAssassin::PerMsgStatus->new($sa, $mail);
        $status->extract_message_metadata();
        my $score = $bayes->scan($status, $mail);
        printf "%.17g\n", defined $score ? $score : 0.5;
        $status->finish();
    } else {
        $sa->learn($mail, undef, $what eq "spam" ? 1 : 0, 0);
    }
    $mail->finish();
}
$sa->rebuild_learner_caches();
$sa->finish_learner();
