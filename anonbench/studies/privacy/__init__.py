"""Study 4: what each way of hiding people protects, on the very copies of the other studies (docs/privacy.md)."""
