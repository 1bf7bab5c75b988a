#!/usr/bin/perl
# SPDX-License-Identifier: ISC
#
# Write name_fold_table.inc: the characters that name_fold.c treats as equal.
#
#   perl name_fold_table.pl >name_fold_table.inc
#
# The table is made from the collation table of Unicode (DUCET, which perl
# contains as Unicode::Collate) and from perl's own character data. Each
# character of the Basic Multilingual Plane is mapped to the characters that
# represent its primary weights. A weight is represented by its first character,
# and by a small letter if there is one. Above that plane, only characters that
# fold to ASCII or are left out have an entry.
use strict;
use warnings;
use Unicode::Normalize qw(NFKD);
use Unicode::UCD qw(num);

use constant {
    IGNORED  => 0,      # is left out of the key
    ITSELF   => 1,      # is mapped to itself
    EXPANDS  => 0xD800, # plus half of the index in the list of expansions
    OTHER_PLANES => 0xFFFD, # replaces every other character above the plane
    BLOCK    => 64,     # characters in a block
};

# Characters newer than perl's data that fold to ASCII: first, last, mapped to.
my @newer = (
    [0x1CCD6, 0x1CCEF, 'a'], # outlined capital letters, Unicode 16
    map { [$_, $_ + 9, '0'] } (
        0x1CCF0, # outlined digits, Unicode 16
        0x10D40, 0x116D0, 0x116DA, 0x11BF0, 0x11DE0, 0x11F50, 0x1E4F0,
        0x1E5F1, # digits of scripts, Unicode 15 to 17
    ),
);

# Characters that are letters of their own in the newest DUCET, but that another
# collation, or a person, takes for an ASCII letter.
my %by_hand = (
    0x0131 => 'i', 0x06DE => '', # dotless i; a sign that was once ignored
    (map { 0x09F3 + $_ => $_ } 1 .. 4), # Bengali numerators
    # Unicode 14
    0x1ACC => 'g', 0x1ACD => 'r', 0x1ACE => 't', 0x10780 => 'aa',
    0x1DE3 => 'r', 0xA75A => 'r', 0xA75B => 'r', 0xA7C0 => 'a', 0xA7C1 => 'a',
    0xA7C2 => 'w', 0xA7C3 => 'w', 0xA7D8 => 's', 0xA7D9 => 's',
    # For programs that decompose characters and strip the accents, or that
    # compare in upper case: barred o, short i, and marks beside a letter.
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
        "install the whole of perl (Debian: package perl)\n";
}

# Returns {code point: [primary weights]}, {code point: name} and
# {name: code point}. Sequences of characters are skipped.
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

# The character that represents each primary weight: a small letter of ASCII, or
# else the first character that is neither composed nor a capital.
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
    # U+0622 is an a in MariaDB's Persian collations, and U+0627 in the others.
    $head{$weights->{0x0627}[0]} = 0x61;
    return \%head;
}

# --- one character -----------------------------------------------------------

my ($weights, $name_of, $by_name) = read_weights();
my $head = find_heads($weights);

# Is the character left out? It is when no collation gives it a weight, when it
# is invisible, when it may be so in a newer Unicode, or when it is an accent
# without a letter (NFKD makes it a space and a mark, which are then stripped).
sub is_ignored
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

# The code points that a character folds to.
sub fold
{
    my ($char, $depth) = @_;
    my $text = chr $char;

    return map { ord } split //, $by_hand{$char} if exists $by_hand{$char};
    my @heads = map { $head->{$_} // 0xFFFF } @{ $weights->{$char} // [] };
    return @heads if @heads && !grep { chr !~ /[a-z0-9]/ } @heads; # marks as well
    return if is_ignored($text);
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
    return IGNORED if chr($char) =~ /\p{C}/;
    return ITSELF if chr($char) =~ /[\p{Unified_Ideograph}\x{AC00}-\x{D7A3}]/;
    @folded = map { $_ > 0xFFFF ? OTHER_PLANES : $_ } fold($char, 0);
    return IGNORED unless @folded;
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
    @expansions < 0x1000 or die "name_fold_table.pl: " . scalar(@expansions) .
        " expansions do not fit: raise EXPANDS' range\n";
    print "/* Made by name_fold_table.pl from DUCET: do not edit. */\n\n";
    print "#define FOLD_BLOCK ", BLOCK, "\n\n";
    print_array('uint16_t', 'fold_index', @index);
    print_array('uint16_t', 'fold_blocks', @blocks);
    print_array('uint16_t', 'fold_expansions', @expansions);
}

main();
