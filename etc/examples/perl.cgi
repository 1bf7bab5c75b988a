#!/usr/bin/perl
# A Perl CGI script for logged-in users: the web server asks Postern before it runs
# the script, and passes the user in variables. Read SESSION_... and REMOTE_USER
# only: variables that begin with HTTP_ come from the client.
use strict;
use warnings;

# Escape text for HTML.
sub escaped {
    my ($text) = @_;
    my %name = ('&' => 'amp', '<' => 'lt', '>' => 'gt', '"' => 'quot', "'" => '#39');

    $text =~ s/([&<>"'])/&$name{$1};/g;
    return $text;
}

# Deny if the server's configuration is missing.
my $subject = $ENV{SESSION_SUBJECT} // '';
if ($subject eq '') {
    print "Status: 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n";
    print "This page is not protected: see doc/legacy.md\n";
    exit;
}

my $name = escaped($ENV{SESSION_NAME} // '');
my $id = escaped($subject);
my $end = escaped($ENV{SESSION_EXPIRES} // '');

print "Content-Type: text/html; charset=utf-8\r\nCache-Control: private, no-cache\r\n\r\n";
print <<"END";
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Members, by Perl</title></head>
<body>
<h1>Hello, $name</h1>
<p>You are number $id, and logged in until $end.</p>
</body>
</html>
END
