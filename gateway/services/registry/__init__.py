"""What the RPC and the artifact door ask for: manifests, files, collections, history."""
