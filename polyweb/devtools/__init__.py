"""What `./run` stands on: throwaway servers, the test suite's steps, the local full stack. No Django here."""
