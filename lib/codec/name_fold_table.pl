#!/usr/bin/perl
# SPDX-License-Identifier: ISC
#
# Write name_fold_table.inc: which characters fold.c takes for the same.
#
#   perl name_fold_table.pl >name_fold_table.inc
#
# Made of the collation table of Unicode (DUCET, which perl ships with
# Unicode::Collate) and of perl's own character data. Every character of the
# Basic Multilingual Plane gets the characters that stand for its primary
# weights: the first character of each weight, a small letter where there is
# one. Above that plane only what folds to ASCII and what vanishes is kept.
use strict;
use warnings;
use Unicode::Normalize qw(NFKD);
use Unicode::UCD qw(num);

use constant {
    VANISHES => 0,     # leaves nothing in the key
    ITSELF   => 1,     # stands for itself
    EXPANDS  => 0xD800, # plus half of where in the list of expansions
    OTHER_PLANES => 0xFFFD, # what fold.c has for every other character there
    BLOCK    => 64,    # characters in a block
};

# Newer than what perl knows, and folding to ASCII: first, last, to what.
my @newer = (
    [0x1CCD6, 0x1CCEF, 'a'], # outlined capital letters, Unicode 16
    map { [$_, $_ + 9, '0'] } (
        0x1CCF0, # outlined digits, Unicode 16
        0x10D40, 0x116D0, 0x116DA, 0x11BF0, 0x11DE0, 0x11F50, 0x1E4F0,
        0x1E5F1, # digits of scripts, Unicode 15 to 17
    ),
);

# Letters of their own to the newest DUCET that some collation, or somebody
# who looks at them, takes for a letter of ASCII.
my %by_hand = (
    0x0131 => 'i', 0x06DE => '', # dotless i; a sign that was once ignored
    (map { 0x09F3 + $_ => $_ } 1 .. 4), # Bengali numerators
    # Unicode 14
    0x1ACC => 'g', 0x1ACD => 'r', 0x1ACE => 't', 0x10780 => 'aa',
    0x1DE3 => 'r', 0xA75A => 'r', 0xA75B => 'r', 0xA7C0 => 'a', 0xA7C1 => 'a',
    0xA7C2 => 'w', 0xA7C3 => 'w', 0xA7D8 => 's', 0xA7D9 => 's',
    # To programs that take characters apart and strip the accents, or that
    # compare capitals: barred o, short i, and what is left beside a letter.
    0x0275 => 'o', 0x0439 => "\x{0438}",
    0x00B7 => '', 0x0387 => '', 0x02BE => '',
);

# --- the primary weights -----------------------------------------------------

sub allkeys_path
{
    for my $folder (@INC) {
        my $path = "$folder/Unicode/Collate/allkeys.txt";
        return $path if -r $path;
    }
    die "name_fold_table.pl: no Unicode/Collate/allkeys.txt in @INC: " .
        "install all of perl\n";
}

# {code point: [primary weights]}, {code point: name}, {name: code point};
# nothing for sequences.
sub read_weights
{
    my $path = allkeys_path();
    my (%weights, %name_of, %by_name);
    open my $in, '<', $path or die "$path: $!\n";
    while (my $line = <$in>) {
        $line =~ /^([0-9A-F]+)\s*;\s*((?:\[[^]]*\])+) # (.*)/ or next;
        my ($char, $elements) = (hex $1, $2);
        $name_of{$char} = $3;
        $by_name{$3} = $char;
        $weights{$char} = [grep { $_ } map { hex }
            $elements =~ /\[[.*]([0-9A-F]+)/g];
    }
    close $in or die "$path: $!\n";
    keys %weights > 20000 or die "$path: this is not DUCET\n";
    return (\%weights, \%name_of, \%by_name);
}

# The character that stands for a primary weight: a small letter of ASCII, else
# the first one that is neither composed nor a capital.
sub find_heads
{
    my ($weights) = @_;
    my (%head, %rank);
    for my $char (grep { $_ <= 0xFFFF } keys %$weights) {
        my $text = chr $char;
        $rank{$char} = ($text =~ /[a-z]/ ? 0 : 1 + ($text =~ /\p{Lu}/) +
            2 * (NFKD($text) ne $text)) * 0x10000 + $char;
    }
    for my $char (sort { $rank{$a} <=> $rank{$b} } keys %rank) {
        my @own = @{ $weights->{$char} };
        $head{$own[0]} //= $char if @own == 1;
    }
    # MariaDB's Persian collations take U+0622 for an a, the others for U+0627.
    $head{$weights->{0x0627}[0]} = 0x61;
    return \%head;
}

# --- one character -----------------------------------------------------------

my ($weights, $name_of, $by_name) = read_weights();
my $head = find_heads($weights);

# Nothing of it is left: what no collation counts, what cannot be seen, what
# may be any of these to a program that knows a newer Unicode, and an accent
# that stands alone (a space and a mark to NFKD, so nothing once stripped).
sub vanishes
{
    return $_[0] =~ /[\p{M}\p{C}\p{Z}\p{White_Space}]/ ||
        NFKD($_[0]) =~ /^[\p{M}\p{Z}]+$/ ||
        $_[0] =~ /\p{Default_Ignorable_Code_Point}/;
}

# The letter that a name such as LATIN SMALL LETTER L WITH STROKE begins with.
sub base_of
{
    my ($char) = @_;
    my $name = $name_of->{$char} // '';
    return $by_name->{$1}
        if $name =~ /^(.*\bLETTER .+?) WITH / && $by_name->{$1};
    $name =~ s/ WITH .*//;
    return ord lc $1
        if $name =~ /^(?:MODIFIER LETTER |LATIN (?:SUBSCRIPT )?)?
            (?:SMALL\ |CAPITAL\ |LETTER\ |DOTLESS\ |LONG\ |SCRIPT\ )*
            ([A-Z])$/x && $name =~ /LATIN|MODIFIER/;
    return undef;
}

# What stands for it, as a list of code points.
sub fold
{
    my ($char, $depth) = @_;
    my $text = chr $char;

    return map { ord } split //, $by_hand{$char} if exists $by_hand{$char};
    my @heads = map { $head->{$_} // 0xFFFF } @{ $weights->{$char} // [] };
    return @heads if @heads && !grep { chr !~ /[a-z0-9]/ } @heads; # marks, too
    return if vanishes($text);
    return 0x30 + num($text) if $text =~ /\p{Nd}/;
    return $char if $char < 0x80 && $text !~ /[A-Z]/;
    my $base = base_of($char);
    return fold($base, $depth + 1) if defined $base && $base != $char;
    return map { $_ == $char || $depth > 4 ? $_ : fold($_, $depth + 1) } @heads
        if $weights->{$char} && !grep { $_ == 0xFFFF } @heads;
    my $apart = NFKD($text);
    $apart = lc $text if $apart eq $text;
    return $char if $apart eq $text || $depth > 4;
    return map { fold(ord, $depth + 1) } split //, $apart;
}

# --- the table ---------------------------------------------------------------

my (@expansions, %expansion_at);

sub value_of
{
    my ($char) = @_;
    my @folded;

    for my $range (@newer) {
        my ($first, $last, $to) = @$range;
        @folded = (ord($to) + $char - $first)
            if $char >= $first && $char <= $last;
    }
    return $folded[0] if @folded;
    return VANISHES if chr($char) =~ /\p{C}/;
    return ITSELF if chr($char) =~ /[\p{Unified_Ideograph}\x{AC00}-\x{D7A3}]/;
    @folded = map { $_ > 0xFFFF ? OTHER_PLANES : $_ } fold($char, 0);
    return VANISHES unless @folded;
    return OTHER_PLANES if $char > 0xFFFF && grep { $_ > 0x7F } @folded;
    return $folded[0] == $char ? ITSELF : $folded[0] if @folded == 1;
    my $key = join ' ', @folded;
    if (!defined $expansion_at{$key}) {
        push @expansions, 0 if @expansions % 2;
        $expansion_at{$key} = @expansions / 2;
        push @expansions, scalar @folded, @folded;
    }
    return EXPANDS + $expansion_at{$key};
}

sub print_array
{
    my ($type, $name, @values) = @_;
    print "static const $type $name\[] = {\n";
    while (my @line = splice @values, 0, 12) {
        print '    ', join(', ', @line), ",\n";
    }
    print "};\n\n";
}

sub main
{
    my (@index, @blocks, %block_at);

    for (my $first = 0; $first <= 0x10FFFF; $first += BLOCK) {
        my @block = map { value_of($_) } $first .. $first + BLOCK - 1;
        my $key = join ' ', @block;
        if (!defined $block_at{$key}) {
            $block_at{$key} = @blocks / BLOCK;
            push @blocks, @block;
        }
        push @index, $block_at{$key};
    }
    @expansions < 0x1000 or die scalar(@expansions) . " are too many\n";
    print "/* Made by name_fold_table.pl of DUCET: do not edit. */\n\n";
    print "#define FOLD_BLOCK ", BLOCK, "\n\n";
    print_array('uint16_t', 'fold_index', @index);
    print_array('uint16_t', 'fold_blocks', @blocks);
    print_array('uint16_t', 'fold_expansions', @expansions);
}

main();
