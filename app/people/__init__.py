"""The people who use Endwatch: accounts, passkeys, sessions, invitations, and keys they make."""
