#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# A DSN on standard input, as MIME-tools and Mail::DeliveryStatus::BounceParser read it: one JSON object.
use strict;
use warnings;
use Encode qw(decode);
use JSON::PP;
use Mail::DeliveryStatus::BounceParser;
use Mail::Header;
use MIME::Parser;

my $raw = do { local $/; binmode STDIN; <STDIN> };
$raw =~ s/\r\n/\n/g;
my $text = sub { my $s = shift // return undef; $s =~ s/\n[ \t]+/ /g; $s =~ s/\s+$//; decode('UTF-8', $s) };

my $parser = MIME::Parser->new;
$parser->output_to_core(1);
$parser->tmp_to_core(1);
# So that what is within message/* stays text, of whatever type.
$parser->extract_nested_messages(0);
my $top = $parser->parse_data($raw);

my @groups;
for my $part ($top->parts) {
    next unless $part->mime_type =~ m{^message/(?:global-)?delivery-status$}i;
    for my $block (split /\n{2,}/, $part->bodyhandle->as_string) {
        next unless $block =~ /\S/;
        my $header = Mail::Header->new([map { "$_\n" } split /\n/, $block]);
        push @groups, {map { lc($_) => $text->($header->get($_)) } $header->tags};
    }
}
my $bounce = eval { Mail::DeliveryStatus::BounceParser->new($raw) };
print JSON::PP->new->utf8->encode({
    type => $top->mime_type,
    report_type => $top->head->mime_attr('content-type.report-type'),
    parts => [map { $_->mime_type } $top->parts],
    groups => \@groups,
    bounced => $bounce ? [map { {email => $text->($_->get('email')), action => $text->($_->get('action')), status => $text->($_->get('status'))} }
                          $bounce->reports] : [],
    original => $bounce ? $text->($bounce->orig_message_id) : undef,
}), "\n";
